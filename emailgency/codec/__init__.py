"""Bytes <-> meaning, sans-IO: no Twisted, no clock, no disk."""
