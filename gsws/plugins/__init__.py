"""The plugin contract, and the plugins that are installed."""
