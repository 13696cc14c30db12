-- Makes refresh_objectives, which computes the objectives anew, without training.
CREATE OR REPLACE MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT unnest(${call}, recursive := true);
