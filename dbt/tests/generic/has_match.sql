{#- The flag column is true in all rows: the failures are the rows without a match. -#}
{% test has_match(model, column_name) %}
    select {{ column_name }}
    from {{ model }}
    where not {{ column_name }}
{% endtest %}
