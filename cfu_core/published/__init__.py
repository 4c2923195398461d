"""Published studies as data: protocol, classes, tables and citation."""
