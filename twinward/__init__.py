"""Wiring: settings, the application that joins the rooms, and the command line."""
