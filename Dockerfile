# The service as a container. Everything of a deployment stands in one folder, /data: waas-comuni.toml, certificates,
# keys and, with SQLite, the database. The folder must belong to user 10001.
#
#   docker build -t waas-comuni .
#   docker run -v /srv/waas-comuni:/data -p 8443:8443 -p 127.0.0.1:8081:8081 waas-comuni

FROM docker.io/library/rust:1.95.0-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev libpq-dev libssl-dev npm pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN scripts/assets.sh --if-possible && cargo build --release --locked

FROM docker.io/library/debian:12.11-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libpq5 libssl3 tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --shell /usr/sbin/nologin --home-dir /data --no-create-home waas \
    && install -d -o waas -g waas /data
COPY --from=build /build/target/release/waas-comuni /usr/local/bin/
COPY LICENSE /usr/share/doc/waas-comuni/

# Relative paths of the configuration start from here, and waas-comuni.toml is looked for here.
WORKDIR /data
VOLUME /data
USER waas

# Inside the container loopback is nobody's: the back office must listen on the container's own address to be
# published, and is to be published on the host's loopback only, as above.
ENV WAAS__BACK_OFFICE__BIND=0.0.0.0:8081
EXPOSE 8443 8081

# The image has bash but no HTTP client.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8081 && printf 'GET /health/live HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [[ $status == 200 ]]"]

ENTRYPOINT ["waas-comuni"]
CMD ["serve"]
