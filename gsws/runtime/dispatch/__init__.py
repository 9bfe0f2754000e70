"""One connection's messages in: what each is, whether it may be sent, and who takes it."""
