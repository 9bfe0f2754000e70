"""Who is in which room, said once; what is sent to a room is encoded once (protocol section 11)."""
