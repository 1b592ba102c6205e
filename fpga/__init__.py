"""Boards, the place-and-route flow, and its figures."""
