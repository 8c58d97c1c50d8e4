"""Rows written by a model: Self-Instruct and its kin, as chains of requests that a journal can replay."""
