# One image for all processes: the command says which one runs, `dist/api/orders-api.main.js` for example.
ARG NODE_IMAGE=node:20.20.2-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No package's install script is needed to build or to run the product.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY dev/scripts/build.ts dev/scripts/
COPY domain domain
COPY contracts contracts
COPY workflows workflows
COPY activities activities
COPY workers workers
COPY api api
COPY database database
COPY platform platform
COPY dev/stripe-sandbox dev/stripe-sandbox
COPY cli cli
RUN npm run build

FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
# What is never loaded here goes: Temporal's native library for other platforms, type declarations, source maps.
RUN case "$(uname -m)" in x86_64) arch=x86_64 ;; *) arch=aarch64 ;; esac && \
    find node_modules/@temporalio/core-bridge/releases -mindepth 1 -maxdepth 1 -type d ! -name "${arch}-unknown-linux-gnu" -exec rm -rf {} + && \
    find node_modules -type f \( -name "*.d.ts" -o -name "*.d.mts" -o -name "*.d.cts" -o -name "*.map" \) -delete

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="order-backend" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
WORKDIR /app
# Where the Stripe sandbox keeps its state; a volume that is mounted here belongs to the user below.
RUN mkdir /data && chown node:node /data
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json ./
USER node
EXPOSE 8101 8301 8302
# Node gets the signals itself, and each process ends what is under way before it stops.
ENTRYPOINT ["node", "--enable-source-maps"]
CMD ["dist/api/orders-api.main.js"]
