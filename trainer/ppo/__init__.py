"""PPO with the judge's verdict as the reward: tasks, rewards, and the run on verl."""
