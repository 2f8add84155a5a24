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
# # What did the search find?
#
# The answer first. Then the settings within the budget, how they were ranked, and which hyper-parameters mattered.

# %%
from analysis.notebooks.show import open_search, show_answer, show_figure, show_settings, show_unsettled

RESULTS = "results/fashion-4N-race"
results = open_search(RESULTS)

# %%
show_answer(results)

# %% [markdown]
# ## What was tried

# %%
show_figure("space", results)

# %%
show_figure("parallel", results)

# %% [markdown]
# ## How the settings were ranked

# %%
show_figure("race", results)

# %%
show_figure("anytime", results)

# %%
show_figure("rungs", results)

# %% [markdown]
# ## Which hyper-parameters matter

# %%
show_figure("marginal", results)

# %%
show_figure("importance", results)

# %% [markdown]
# ## What was confirmed on test images

# %%
show_settings(results)

# %% [markdown]
# ## What is open

# %%
show_unsettled(results)
