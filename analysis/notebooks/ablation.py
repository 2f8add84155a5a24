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
# Selection, mixing and attack are switched on one by one; then each is replaced by an alternative. A row without
# printed numbers is missing in the copy of the paper that we have.

# %%
from analysis.notebooks.show import open_results, show_open, show_table

RESULTS = "results"
results = open_results(RESULTS)

# %% [markdown]
# ## Selection, mixing, attack

# %%
show_table("entprop/7", results)

# %% [markdown]
# ## How samples are mixed

# %%
show_table("entprop/9", results)

# %%
show_table("entprop/13", results)

# %% [markdown]
# ## How samples are attacked

# %%
show_table("entprop/10", results)

# %%
show_table("entprop/12", results)

# %% [markdown]
# ## How samples are selected

# %%
show_table("entprop/14", results)

# %%
show_table("entprop/15", results)

# %% [markdown]
# ## What is open

# %%
show_open(results, "entprop/7", "entprop/9", "entprop/10", "entprop/12", "entprop/13", "entprop/14", "entprop/15")
