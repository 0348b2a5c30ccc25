SELECT turn, at FROM bench.hold() \gset
SELECT bench.settle(:turn, :at);
