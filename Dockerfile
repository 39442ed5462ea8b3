# The image of any chain, for those who have Docker; `toolkit build` makes the same without (docs/images.md).
#
#   docker build --build-arg TARGET=chained-eventing --tag dev.local/chained-eventing:v1 .
#
# TARGET is a name of the catalogue, or a folder of this checkout with a chain.yaml in it.
ARG PYTHON_VERSION=3.13

FROM python:${PYTHON_VERSION}-slim AS build
ARG TARGET=chained-serving
WORKDIR /source
COPY . .
RUN python3 -m pip install --no-cache-dir --root-user-action=ignore --constraint requirements.lock .
RUN toolkit build "${TARGET}" --files /image

FROM python:${PYTHON_VERSION}-slim
COPY --from=build /image/ /
ENV PYTHONPATH=/app/lib \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /app/chain
USER 65532:65532
EXPOSE 8080/tcp
ENTRYPOINT ["python3", "-P", "-m", "toolkit.sdk"]
