"""Signals: how surprising an organisation's ratings are among its peers.

One module per family, pure functions on the frames of ``frames``; no function knows of a warehouse or a form.
"""
