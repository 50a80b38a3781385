# An image of an environment that algorithms run in, or that databases are provided from:
#
#   docker build -t beat.env.python:3.13 .
#   docker run --rm beat.env.python:3.13 describe
#
# The first stage makes the wheel; only that, and what it depends on, is in the second.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
WORKDIR /source
COPY pyproject.toml setup.py README.rst LICENSE ./
COPY beat beat
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:${PYTHON}-slim
ARG NAME=Python
ARG VERSION=3.13
ARG TYPE=execution
LABEL beat.env.type=${TYPE} beat.env.name=${NAME} beat.env.version=${VERSION}
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir /wheels/*.whl
RUN mkdir -p /etc/beat && \
    printf '{"name": "%s", "version": "%s"}\n' "$NAME" "$VERSION" > /etc/beat/environment.json
# nothing of the image is written to; what user code keeps for itself goes to the tmpfs
ENV HOME=/tmp
# Started as root, the scripts become the user that the block's configuration names.
USER 65534:65534
CMD ["describe"]
