"""The built-in event sources, which use nothing but the plugin contract."""
