"""Text, positions and YAML documents."""
