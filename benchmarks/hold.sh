#!/bin/sh
# What a tracer is given to trace while the bystander is measured: says that it runs, and waits for a line.
echo attached
read -r _
