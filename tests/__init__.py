"""Behaviour of Atrium, seen from outside; the paths mirror the code's."""
