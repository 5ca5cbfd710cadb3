# Workers, the page and the command line:   docker build -t redis-semaphores .
#   docker run -e SEMAPHORES_URL=redis://... -v ./jobs:/jobs:ro redis-semaphores worker /jobs/jobs.py
# Your own image adds your code and what it needs:   FROM redis-semaphores, then as root: pip install ..., then USER 10001.
FROM python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY lua lua
COPY semaphores semaphores
COPY workers workers
RUN pip wheel --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PYTHONUNBUFFERED=1
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install "redis-semaphores[metrics,otel,ui] @ file://$(ls /wheels/*.whl)"
# By number: Kubernetes' runAsNonRoot looks at nothing else.
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin semaphores
USER 10001
WORKDIR /jobs
ENTRYPOINT ["semaphores"]
CMD ["--help"]
