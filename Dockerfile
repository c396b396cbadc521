# One image for all processes of the product: the command says which one runs, `dist/api/orders-api.main.js` for example.
# The Stripe sandbox is a target of its own (`--target stripe-sandbox`), so the product's image doesn't carry it.
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No package's install script is needed to build or to run the product.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY dev/scripts/build.ts dev/scripts/compile.ts dev/scripts/image-files.ts dev/scripts/
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

# Of the packages only the files that can be loaded: 76 MB instead of 154.
FROM build AS files
COPY --from=packages /app/node_modules /product/node_modules
RUN cp -R dist package.json /product && node --import tsx dev/scripts/image-files.ts /product /files

# Of the base only what Node needs: Debian's packages with the libraries that it links to, and a shell to look around
# with. npm, apt and the rest stay behind. What stays is listed where scanners look for it (/var/lib/dpkg/status.d).
FROM ${NODE_IMAGE} AS runtime
SHELL ["/bin/sh", "-euc"]
RUN libraries=$(ldd /usr/local/bin/node | awk '/=> \// { sub(".*/", "", $(NF-1)); print "*/" $(NF-1) }'); \
    packages="base-files dash $(dpkg-query --search $libraries | cut -d: -f1 | sort -u)"; \
    mkdir -p /runtime/var/lib/dpkg/status.d; \
    for link in /bin /lib* /sbin; do mkdir -p "/runtime$(readlink -f $link)"; cp -P "$link" /runtime/; done; \
    { dpkg-query --listfiles $packages; \
      printf '%s\n' /etc/passwd /etc/group /etc/nsswitch.conf /usr/local/bin /usr/local/bin/node; } | \
      grep -v '^/usr/share/\(man\|locale\|lintian\)' | sed -n 's|^/\(..*\)|\1|p' | grep -v '^\.$' | sort -u > /tmp/files; \
    tar -C / --no-recursion -c -T /tmp/files | tar -C /runtime --keep-directory-symlink -x; \
    for package in $packages; do dpkg-query --status "$package" > "/runtime/var/lib/dpkg/status.d/$package"; done
# The worker's connection to Temporal reads the system's CA certificates, and a slim image has none. These are Node's own,
# so that API and workers trust the same ones.
RUN mkdir -p /runtime/etc/ssl/certs; \
    node -p 'tls.rootCertificates.join("\n")' > /runtime/etc/ssl/certs/ca-certificates.crt
# Where the Stripe sandbox keeps its state; a volume that is mounted here belongs to the user below.
RUN mkdir /runtime/data /runtime/app; chown node:node /runtime/data

FROM scratch AS app
LABEL org.opencontainers.image.title="order-backend" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=runtime /runtime /
# Node too takes the CA certificates from the file; another can be mounted over it, or named in SSL_CERT_FILE.
ENV PATH=/usr/local/bin:/usr/bin:/bin \
    NODE_ENV=production \
    NODE_USE_SYSTEM_CA=1 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
WORKDIR /app
COPY --from=files /files/app ./
USER node
# Node gets the signals itself, and each process ends what is under way before it stops.
ENTRYPOINT ["node", "--enable-source-maps"]

FROM app AS stripe-sandbox
COPY --from=files /files/stripe-sandbox ./
EXPOSE 8302
CMD ["dist/dev/stripe-sandbox/main.js"]

FROM app AS order-backend
EXPOSE 8101 8301
CMD ["dist/api/orders-api.main.js"]
