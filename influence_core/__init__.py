"""Influence functions: which training examples made the model say that, and can the answer be trusted?

An *objective* (what was minimised), its *curvature* (a linear operator), a *solver* (applies the inverse curvature)
and an *engine* (multiplies the result with every training example's gradient). See README.md for the sign and the unit.
"""
