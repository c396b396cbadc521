#!/bin/sh
# Stands in for the entrypoint of `temporalio/ui`.
exec ui-server --root /opt/temporal --config ui-config --env docker start
