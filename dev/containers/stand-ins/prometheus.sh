#!/bin/sh
# Stands in for the entrypoint of `prom/prometheus`; the image's other flags are defaults there too.
set -eu
promtool check config /etc/prometheus/prometheus.yml
exec prometheus --config.file=/etc/prometheus/prometheus.yml --storage.tsdb.path=/prometheus
