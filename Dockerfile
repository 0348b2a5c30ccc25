# The Debian packages (make deb), then an image of each. Neither runs as root, and neither holds a secret.
#   docker build -t tenancyd .                        the HTTP server
#   docker build -t pg_tenancy --target postgres .    PostgreSQL 15 with the extension preloaded
FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends make
COPY . /src
WORKDIR /src
RUN scripts/deps.sh deb && scripts/deb.sh

# Data is in /var/lib/postgresql/data: mount a volume there. A new one gets a cluster whose superuser has the
# password of the file that POSTGRES_PASSWORD_FILE names; without that file nothing starts.
FROM debian:bookworm-slim AS postgres
COPY --from=build /src/build/deb/postgresql-15-pg-tenancy_*.deb /tmp/
RUN apt-get update && apt-get install -y --no-install-recommends postgresql-common
RUN sed -i 's/^#*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
RUN apt-get install -y --no-install-recommends /tmp/*.deb && rm -rf /tmp/*.deb /var/lib/apt/lists/*
COPY scripts/postgres-image.sh /usr/local/bin/
RUN install -d -o postgres -g postgres -m 0700 /var/lib/postgresql/data
USER postgres
VOLUME /var/lib/postgresql/data
EXPOSE 5432
STOPSIGNAL SIGINT
ENTRYPOINT ["/usr/local/bin/postgres-image.sh"]

# Mount the configuration at /etc/tenancyd/tenancyd.yaml, with server.host: 0.0.0.0; give secrets as variables
# that it names.
FROM debian:bookworm-slim
COPY --from=build /src/build/deb/tenancyd_*.deb /tmp/
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates /tmp/*.deb && rm -rf /tmp/*.deb /var/lib/apt/lists/*
RUN useradd --system --no-create-home --shell /usr/sbin/nologin tenancyd
USER tenancyd
EXPOSE 8080
ENTRYPOINT ["/usr/bin/tenancyd"]
CMD ["serve", "--config", "/etc/tenancyd/tenancyd.yaml"]
