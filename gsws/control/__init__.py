"""
The control socket: how other processes of the same user reach a running service (`gsws push`, `gsws disconnect`).

`place` says where it is and whom to trust, `server` answers, `client` asks. It is asked and never subscribed to.
"""
