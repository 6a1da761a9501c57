"""What `iotrace bench` reports: from what programs noted and recordings hold to rows with medians and spread."""
