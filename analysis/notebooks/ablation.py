# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which part of EntProp does the work?
#
# Selection, mixing and attack, one by one and together. Some published numbers are lost in our text of the paper; these
# cells are empty.

# %%
from analysis.notebooks.show import open_results, show_table

RESULTS = "results"
folder = open_results(RESULTS)

# %%
show_table("entprop/7", folder)

# %%
show_table("entprop/9", folder)

# %%
show_table("entprop/10", folder)

# %%
show_table("entprop/12", folder)

# %%
show_table("entprop/13", folder)

# %%
show_table("entprop/14", folder)

# %%
show_table("entprop/15", folder)
