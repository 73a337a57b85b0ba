# The image of the gateway. docs/install.md says how it is used, compose.yaml how it is run.
#
#     docker build -t phonegate .
#     docker build -t phonegate --build-arg EXTRAS=apprise,telnyx .

# Every stage stands on this one: what is compiled for one Python runs on no other.
ARG BASE=docker.io/library/python:3.13-slim-trixie

FROM ${BASE} AS build
WORKDIR /build
# A folder of its own, without pip: nothing in the image installs anything later.
RUN python3 -m venv --without-pip /opt/phonegate
# The same packages as in the release's zipapp, by their hashes. They change seldom, so that they
# come before the source.
COPY release/requirements.txt release/
RUN python3 -m pip --python /opt/phonegate/bin/python install --no-cache-dir --no-compile \
    --require-hashes --requirement release/requirements.txt
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY phonegate phonegate
# Extras of pyproject.toml, such as apprise,telnyx. Their packages are the newest that fit.
ARG EXTRAS=""
# All is compiled here, since the gateway may not write beside its own files. Compiled files bear
# no times, which copying changes.
RUN python3 -m pip --python /opt/phonegate/bin/python install --no-cache-dir --no-compile \
    ".${EXTRAS:+[$EXTRAS]}" \
 && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/phonegate

# hadolint ignore=DL3006
FROM ${BASE}
LABEL org.opencontainers.image.title="phonegate" \
      org.opencontainers.image.description="Turns the phones and modems you already have into an SMS API: one program, one port, one file" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/phonegate /opt/phonegate
ENV PATH=/opt/phonegate/bin:$PATH \
    PHONEGATE_DATABASE_PATH=/data/phonegate.db \
    # Behind a port that an engine passes on, other machines may look as if they were this one or
    # its neighbours: by IPv6, where the engine runs without root, and in Docker Desktop. "local"
    # would then let everyone make an org. The first org is made by the set-up link of the log.
    PHONEGATE_ORGS_REGISTRATION=closed
# One message each way: an image that can't serve is not built. It runs as root, so that Python
# keeps the compiled form of those of its own modules that the gateway loads. The official images
# have none, and each start and each check of health would compile them anew.
RUN phonegate demo --once \
 && install -d -m 0700 -o 10001 -g 10001 /data
ENV PYTHONDONTWRITEBYTECODE=1
VOLUME /data
# A gateway.toml that lies here is read by every command.
WORKDIR /data
# By number, so that an engine can see that it is not root.
USER 10001:10001
EXPOSE 8080
# The gateway lets requests end for [http] drain_s after this: give it longer than that
# (docker run --stop-timeout 30).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["phonegate", "health"]
ENTRYPOINT ["phonegate"]
CMD ["serve"]
