# syntax=docker/dockerfile:1
# The daemon as an image. See design/operations.md.
#
#   docker build --target program -t mangrove .                 the program alone; a repository is mounted at /repository
#   docker build --build-context repository=PATH -t acme .      with a repository in it, and all of its packages and bundles

FROM rust:1.95-trixie AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked --bin mangrove && strip --output /mangrove target/release/mangrove

FROM debian:trixie-slim AS program
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 mangrove \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin mangrove \
    && install --directory --owner 10001 --group 10001 /repository
COPY --from=build /mangrove /usr/local/bin/mangrove
USER 10001:10001
WORKDIR /repository
ENV MANGROVE_REPO=/repository MANGROVE_LOG_FORMAT=json
# What the daemon lets go of goes back to the system (design/operations.md).
ENV MALLOC_ARENA_MAX=2 MALLOC_TRIM_THRESHOLD_=262144 MALLOC_MMAP_THRESHOLD_=131072
EXPOSE 8787
# Asked without a token, and without a program that the image does not have.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8787 && printf 'GET /livez HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && read -r line <&3 && [[ $line == *' 200 '* ]]"]
# Ends it as the daemon expects: what runs may go on for `serve.grace`.
STOPSIGNAL SIGTERM
ENTRYPOINT ["mangrove"]
# Whoever reaches the address needs a token: mount the file, or a secret, at this place.
CMD ["serve", "--listen", "0.0.0.0:8787", "--token-file", "/run/secrets/mangrove-tokens"]

FROM program AS complete
COPY --from=repository --chown=10001:10001 . /repository
# A container that starts needs no network: every package is fetched, every bundle is built and looked at.
RUN ["mangrove", "cache", "warm"]
