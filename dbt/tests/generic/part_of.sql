{#- In each row, the column counts some of what another counts: none at least, all at most. -#}
{% test part_of(model, column_name, whole) %}
    select
        {{ column_name }},
        {{ whole }}
    from {{ model }}
    where {{ column_name }} not between 0 and {{ whole }}
{% endtest %}
