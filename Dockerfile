# The service in a container, built from the versions that the suite passed with (constraints.txt).
#
#   docker build -t ocr-moe .
#   docker run --read-only --tmpfs /tmp -v ocr_moe:/data -p 8000:8000 \
#     --cap-drop ALL --security-opt no-new-privileges -e OCR_MOE_TOKEN ocr-moe
#
# Only /data is written to (jobs and their files), and /tmp while something is read. Secrets come from
# the environment of the container; none is in the image. See docs/security.md.

FROM python:3.11-slim AS build
WORKDIR /source
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/ocr_moe
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY config config
COPY ocr_moe ocr_moe
RUN /opt/ocr_moe/bin/pip install --constraint constraints.txt '.[mcp,schools]'

FROM python:3.11-slim
# OpenCV needs both. Debian keeps one version of each, and replaces it by the one without the hole.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 ocr_moe \
 && useradd --uid 10001 --gid 10001 --no-log-init --home-dir /tmp --no-create-home \
    --shell /usr/sbin/nologin ocr_moe \
 && install --directory --owner 10001 --group 10001 --mode 0700 /data
COPY --from=build /opt/ocr_moe /opt/ocr_moe
# HOME: where libraries put what they keep for a while.
ENV PATH=/opt/ocr_moe/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK=True
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000, timeout=5); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["ocr-moe"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000", "--data", "/data"]
