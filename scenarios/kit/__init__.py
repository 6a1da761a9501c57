"""What scenarios share: options, sockets, the page shared with the sender, the receiver's notes."""
