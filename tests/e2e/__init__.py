"""Real clients against a real `gsws serve`: Node.js, a browser, the demo, an installed wheel."""
