SELECT turn, at FROM bench.hold() \gset
\sleep 50 ms
SELECT bench.settle(:turn, :at);
