# The service as a container. Everything of a deployment stands in one folder, /data: waas-comuni.toml, certificates,
# keys and, with SQLite, the database. The folder must belong to user 10001; nothing else is written but /tmp, so that
# the rest may be read-only.
#
#   docker build -t waas-comuni .
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#       -v /srv/waas-comuni:/data -p 8443:8443 -p 127.0.0.1:8081:8081 waas-comuni
#
# Where neither a container engine nor an image registry can be reached: `make image`. `make image-test` builds it so
# and runs it. docs/build.md says more.

# The bases are pinned by digest (of the index, whatever the platform). To renew one, ask for the digest of its tag
# (`docker buildx imagetools inspect rust:1.95.0-slim-bookworm`, or `skopeo inspect`), and change tag and digest together.
ARG BUILD_BASE=docker.io/library/rust:1.95.0-slim-bookworm@sha256:d7482085ff5b415f84dba5647ae71606650bdef00db7aeb69f4b3d170c3e4082
ARG RUN_BASE=docker.io/library/debian:12.11-slim@sha256:b1a741487078b369e78119849663d7f1a5341ef2768798f7b7406c4240f86aef

FROM ${BUILD_BASE} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev libpq-dev libssl-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
# The look of the console comes with the context where scripts/assets.sh has fetched it already, else from npm.
COPY assets assets
COPY scripts/assets.sh scripts/
RUN if [ ! -e assets/vendor/licenze.txt ]; then \
        apt-get update && apt-get install -y --no-install-recommends npm && scripts/assets.sh --if-possible; \
    fi
COPY . .
# What enters the image is laid out under /out.
RUN cargo build --release --locked \
    && install -D target/release/waas-comuni /out/usr/local/bin/waas-comuni \
    && install -D --mode=644 LICENSE /out/usr/share/doc/waas-comuni/LICENSE \
    && scripts/sbom.sh /out/usr/share/doc/waas-comuni/sbom.cdx.json

FROM ${RUN_BASE}
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libpq5 libssl3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* \
    && groupadd --gid 10001 waas \
    && useradd --uid 10001 --gid waas --shell /usr/sbin/nologin --home-dir /data --no-create-home waas \
    && install -d -o waas -g waas /data
COPY --from=build /out /

LABEL org.opencontainers.image.title="waas-comuni" \
      org.opencontainers.image.description="The e-service WaaS.Comuni of an Italian municipality: its social benefits, pulled by INPS over PDND" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="EUPL-1.2" \
      org.opencontainers.image.documentation="https://git.example.org/waas-comuni/docs/installazione.md" \
      org.opencontainers.image.source="https://git.example.org/waas-comuni.git"

# Relative paths of the configuration start from here, and waas-comuni.toml is looked for here.
WORKDIR /data
VOLUME /data
# By number: Kubernetes cannot tell from a name that it is not root.
USER 10001:10001

# Inside the container loopback is nobody's: the back office must listen on the container's own address to be
# published, and is to be published on the host's loopback only, as above.
ENV WAAS__BACK_OFFICE__BIND=0.0.0.0:8081
EXPOSE 8443 8081

# The image has bash but no HTTP client. It asks plain HTTP: with [back_office.tls] say another check, or none.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8081 && printf 'GET /health/live HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [[ $status == 200 ]]"]

ENTRYPOINT ["waas-comuni"]
CMD ["serve"]
