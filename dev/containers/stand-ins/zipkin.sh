#!/bin/sh
# Stands in for the entrypoint of `openzipkin/zipkin`.
# shellcheck disable=SC2086
exec java ${JAVA_OPTS:-} -XX:TieredStopAtLevel=1 -jar /opt/zipkin.jar
