"""Rooms and sessions between processes; on one process they are the runtime's."""
