# Stand-in for the mongo service where no image can be pulled: the wire server of tests/requirements.txt.
FROM debian:bookworm-slim
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv ca-certificates
COPY tests/requirements.txt /tmp/requirements.txt
RUN python3 -m venv /venv && grep -E '^(secantusdb|pymongo)==' /tmp/requirements.txt >/tmp/mongo.txt && \
    /venv/bin/pip install -q --disable-pip-version-check -r /tmp/mongo.txt
VOLUME /data/db
EXPOSE 27017
CMD ["/venv/bin/secantusd-py", "--host", "0.0.0.0", "--port", "27017", "--storage-path", "/data/db", "--standalone"]
