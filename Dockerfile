# Two stages: the toolchain builds, and a small image carries the one binary.
#   docker build -t howdah .
#   docker run -v "$PWD/conf:/etc/howdah:ro" -p 10000:10000 howdah
# Inside, the admin address is loopback unless the configuration binds another; then set HOWDAH_ADMIN for the health check.

FROM rust:1-slim-bookworm AS build
# Another profile builds faster and runs slower: --build-arg PROFILE=ci
ARG PROFILE=release
WORKDIR /src
COPY . .
RUN cargo build --locked --profile "$PROFILE" --bin howdah && install -D "target/$PROFILE/howdah" /out/howdah \
    && strip --strip-debug /out/howdah

FROM debian:bookworm-slim
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/howdah /usr/local/bin/howdah
COPY LICENSE /usr/share/doc/howdah/LICENSE
VOLUME /etc/howdah
EXPOSE 10000 9600
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["howdah", "status"]
ENTRYPOINT ["howdah"]
CMD ["run"]
