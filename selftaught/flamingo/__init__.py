"""Language models that see pictures: pretraining on captions, describing, and questions with examples."""
