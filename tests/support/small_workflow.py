"""A Workflow of a few lines, for what is no matter of the shipped ones."""

# What follows is its templates, the first of them `main`.
HEAD = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: w-}
spec:
  entrypoint: main
  templates:
"""
