"""What a recording shows: columns in, tables and facts out; needs no kernel, no terminal and no root."""
