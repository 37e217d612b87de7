-- Values of contributions begin with how they are kept: = in clear, enc: sealed. Contributors no longer tell which record they are: rule, id and item become
-- a hash of rule and id, and the item (its last four parts).
UPDATE contributions SET value = '=' || value;
UPDATE contributions SET contributor = substr(encode(sha256(convert_to(regexp_replace(contributor, '(/[^/]*){4}$', ''), 'UTF8')), 'hex'), 1, 32)
  || substring(contributor from '(?:/[^/]*){4}$') WHERE contributor ~ '^[^/]+/.+(/[^/]*){4}$';
UPDATE contributions_left SET contributor = substr(encode(sha256(convert_to(regexp_replace(contributor, '(/[^/]*){4}$', ''), 'UTF8')), 'hex'), 1, 32)
  || substring(contributor from '(?:/[^/]*){4}$') WHERE contributor ~ '^[^/]+/.+(/[^/]*){4}$';
