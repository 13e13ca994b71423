# For people who have Docker; `make image` builds the same tree without it. One image, every role: `truenow <role>`.
FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY workloads/ workloads/
COPY operator/ operator/
COPY cdk8s/package.json cdk8s/
COPY e2e/package.json e2e/
RUN npm ci --ignore-scripts --omit=dev --omit=optional \
 && find workloads operator -name '*.test.ts' -delete -o -name '*.bench.ts' -delete \
 && rm -r workloads/*/assembly

FROM node:24-slim
LABEL org.opencontainers.image.title="TrueNow" org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
COPY --from=packages --chown=0:0 /app /app
USER 65532:65532
ENV NODE_ENV=production
# glibc keeps eight arenas a core, and blocks of megabytes in them once one was freed: of a shard's budget that is 50 MiB that nobody uses.
ENV MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=65536
ENTRYPOINT ["node", "--no-warnings", "--disable-proto=throw", "/app/workloads/truenow/src/main.ts"]
