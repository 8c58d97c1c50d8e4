"""Replies read: thinking and fences left out, lists, JSON, labelled parts, numbers and quantities."""
