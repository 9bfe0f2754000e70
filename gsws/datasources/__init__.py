"""The built-in datasources of agents, which use nothing but the plugin contract; what they make is `gsws.ai`'s."""
