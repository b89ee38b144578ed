"""Workflow languages besides Python. Each is one folder: an interpreter that is a pure, snapshotted program
(``model.program``), and knows nothing but the model and the expressions."""
