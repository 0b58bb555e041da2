# Build: compiler and headers for the native addons, then only what runs is kept.
FROM node:24-bookworm-slim AS build
WORKDIR /app
RUN apt-get update && apt-get install -y --no-install-recommends g++ make python3
# The image carries Node's headers, so no addon downloads any.
ENV npm_config_nodedir=/usr/local ONNXRUNTIME_NODE_INSTALL=skip
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json tsconfig.browser.json tsconfig.widget.json ./
COPY scripts/build.mjs scripts/widget.mjs scripts/
COPY src src/
COPY workers workers/
COPY fixtures fixtures/
RUN node scripts/build.mjs
RUN npm prune --omit=dev --no-audit --no-fund
# The model's runtime brings the libraries of five systems, tesseract and OpenTelemetry copies for browsers, and ffmpeg comes
# from Debian here: only what runs is kept.
RUN find node_modules/onnxruntime-node/bin/napi-v6 -mindepth 2 -maxdepth 2 ! -path "*/linux/$(node -p process.arch)" -exec rm -rf {} + && rm -rf node_modules/@ffmpeg-installer/linux-* node_modules/tesseract.js-core/*.wasm.js && find node_modules/@opentelemetry -type d \( -name esm -o -name esnext \) -prune -exec rm -rf {} + && find node_modules/@opentelemetry -name '*.map' -delete

# Run: as nobody in particular, with Redis given by REDIS_URL.
FROM node:24-bookworm-slim
WORKDIR /app
RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 PARLEY_DATA_DIR=/data
RUN mkdir -p /data && chown node:node /data
COPY --from=build /app/node_modules node_modules/
COPY --from=build /app/dist dist/
COPY --from=build /app/fixtures fixtures/
COPY package.json ./
USER node
VOLUME /data
EXPOSE 8080 8443
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/src/main.js"]
