"""Rules that come with the package: presets with their evidence, protected zones, schemas."""
